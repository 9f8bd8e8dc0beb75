"""Ops of PyTorch's database that export does not write, with the reason."""

from __future__ import annotations

WHY = {
    "bits of numbers, and number theory": """
        bitwise_left_shift bitwise_right_shift frexp ldexp lcm gcd nextafter
    """,
    "ONNX has no factorisations of matrices, no inverses and no solvers": """
        cholesky cholesky_inverse cholesky_solve geqrf lu_unpack lu lu_solve matrix_exp ormqr qr
        triangular_solve svd pinverse logdet norm.nuc linalg.cholesky linalg.cholesky_ex
        linalg.cond linalg.eig linalg.eigvals linalg.eigh linalg.eigvalsh
        linalg.householder_product linalg.lstsq linalg.lstsq.grad_oriented linalg.matrix_power
        linalg.matrix_norm linalg.qr linalg.slogdet linalg.lu_factor linalg.lu_factor_ex
        linalg.lu linalg.lu_solve linalg.inv linalg.inv_ex linalg.solve linalg.solve_triangular
        linalg.matrix_rank linalg.matrix_rank.hermitian linalg.pinv linalg.pinv.singular
        linalg.pinv.hermitian linalg.svd linalg.svdvals linalg.tensorinv linalg.tensorsolve
    """,
    "complex numbers, and what is made of them: onnxruntime has none": """
        complex stft polar cdouble cfloat fft.fft fft.fft2 fft.fftn fft.hfft fft.hfft2 fft.hfftn
        fft.rfft fft.rfft2 fft.rfftn fft.ifft fft.ifft2 fft.ifftn fft.ihfft fft.ihfft2
        fft.ihfftn fft.irfft fft.irfft2 fft.irfftn
    """,
    "counts, ranks, running products and extremes: no short formula in nodes": """
        cumprod cummax cummin kthvalue median nanmedian nn.functional.multilabel_margin_loss
        mode unravel_index unique unique_consecutive histogram histc bincount searchsorted
    """,
    "special functions that ONNX does not have": """
        i0 igamma igammac mvlgamma.mvlgamma_p_1 mvlgamma.mvlgamma_p_3 mvlgamma.mvlgamma_p_5
        polygamma.polygamma_n_0 polygamma.polygamma_n_1 polygamma.polygamma_n_2
        polygamma.polygamma_n_3 polygamma.polygamma_n_4 digamma erfinv lgamma special.i0e
        special.i1 special.i1e special.polygamma.special_polygamma_n_0 special.log_ndtr
        special.erfcx
    """,
    "a divisor of averages in ceil mode, which AveragePool does not have": """
        nn.functional.avg_pool2d
    """,
    "of a number without axes ONNX says something else": """
        nonzero
    """,
    "its samples drop weights": """
        nn.functional.multi_head_attention_forward
    """,
    "CTC is a loop over steps in the loss": """
        nn.functional.ctc_loss
    """,
}
REASONS = {name: reason for reason, names in WHY.items() for name in names.split()}

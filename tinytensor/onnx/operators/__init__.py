"""The operators of ONNX, by families; the registry imports every file here."""

"""Pictures of results, and of what networks look at.

Drawing needs matplotlib, which is imported when the first figure is drawn.
"""

from .attribution import feature_maps, grad_cam, integrated_gradients, saliency
from .plots import plot_alignments, plot_confusion, plot_images, plot_losses, plot_maps

__all__ = [
    "feature_maps",
    "grad_cam",
    "integrated_gradients",
    "plot_alignments",
    "plot_confusion",
    "plot_images",
    "plot_losses",
    "plot_maps",
    "saliency",
]

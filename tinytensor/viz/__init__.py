"""Pictures of results. They need matplotlib, which is imported when the first is drawn."""

from .plots import plot_confusion, plot_images, plot_losses

__all__ = ["plot_confusion", "plot_images", "plot_losses"]

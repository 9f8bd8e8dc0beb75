"""Pictures of results, of what networks look at, and runs of graphs to step through.

Drawing needs matplotlib, which is imported when the first figure is drawn.
"""

from .attribution import feature_maps, grad_cam, integrated_gradients, saliency
from .graph import Graph, graph
from .plots import (
    plot_alignments,
    plot_confusion,
    plot_flow,
    plot_flow_map,
    plot_images,
    plot_losses,
    plot_maps,
)
from .recording import record
from .recurrence import FlowRecorder, gradient_flow, recurrent_jacobian, spectral_radius

__all__ = [
    "FlowRecorder",
    "Graph",
    "feature_maps",
    "grad_cam",
    "gradient_flow",
    "graph",
    "integrated_gradients",
    "plot_alignments",
    "plot_confusion",
    "plot_flow",
    "plot_flow_map",
    "plot_images",
    "plot_losses",
    "plot_maps",
    "record",
    "recurrent_jacobian",
    "saliency",
    "spectral_radius",
]

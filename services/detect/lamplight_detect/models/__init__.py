"""Reading what the detectors answer: pictures into tensors, outputs into `Detections`."""

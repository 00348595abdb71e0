"""Models: neural networks, tensors in, tensors out; they know nothing of maps, parcels or law."""

"""Speed and memory of training and sampling, side by side with pythae 0.1.2 (`make bench`)."""

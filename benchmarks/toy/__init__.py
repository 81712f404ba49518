"""The thesis's experiments on small image sets, with its numbers beside ours (`make toy`)."""

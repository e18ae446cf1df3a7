"""Training, evaluation and export of the networks that streamser ships."""

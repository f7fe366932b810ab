"""Networks that predict attributes: pictures, training, testing, predictions."""

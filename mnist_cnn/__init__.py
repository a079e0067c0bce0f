"""The workload: the classic Keras MNIST CNN, its data, its input pipeline and its training engines.

Nothing is imported here, so that `mnist_cnn.dataset`, `mnist_cnn.settings` and `mnist_cnn.history`
also work where TensorFlow is not installed.
"""

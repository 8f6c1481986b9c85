"""Random changes of images, each under the name and with the arguments that torchvision's transforms v2 give it."""

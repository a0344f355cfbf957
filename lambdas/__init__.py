"""The Lambda functions: a module each, over the package image_builder."""

"""The CDK constructs, one a concern, and the stack that joins them."""

"""What imitates AWS, so that the project can be tried and tested without an AWS account."""

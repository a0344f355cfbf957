"""The embedded default: everything that lets this project be tried and tested without an AWS account."""

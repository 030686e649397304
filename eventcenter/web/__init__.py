"""The HTTP rim of the server: problems, sign-in, the application that holds the routers."""

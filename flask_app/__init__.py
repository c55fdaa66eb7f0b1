"""The sample service: an ordinary Flask application, with faults that can be switched on to see them found."""

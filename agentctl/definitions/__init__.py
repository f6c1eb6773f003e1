"""Loading of agents from the references given on the command line, and inspection of them."""

"""The machine the server runs on: accounts, privileges, descriptors, who may read which file."""

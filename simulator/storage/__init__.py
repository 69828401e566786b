"""Storage of results: HDF5 files, directories of sweeps, export to CSV and NetCDF."""

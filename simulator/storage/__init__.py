"""Results on the disk and back: HDF5 files, directories of sweeps, CSV and NetCDF."""

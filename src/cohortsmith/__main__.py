"""Run the project as a module: `python -m cohortsmith run --env oasis`."""

from cohortsmith.cli import main

if __name__ == "__main__":
    main()

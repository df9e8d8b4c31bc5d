"""The benchmark: ``python run_bench.py --help``."""

from bench.cli.app import main

if __name__ == "__main__":
    main()

"""A small gate whose code logs as VisiGate's does: ``logger.error(f"…: {e}")`` and nothing else."""

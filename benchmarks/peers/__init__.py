"""Nightdesk beside other programs that replay ticks: the same quotes and strategy, one machine, one sitting."""

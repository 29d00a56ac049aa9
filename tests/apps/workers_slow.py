"""Takes longer to import than any health check would wait."""

import time

from apps.workers import app as app

time.sleep(3)

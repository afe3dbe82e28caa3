"""Properties may take their time on a busy machine; pytest's own timeout is the limit."""

from hypothesis import HealthCheck, settings

settings.register_profile("schemas", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("schemas")

"""The application whose workers the checks start: three tasks on a queue of its own."""

import os

from celery import Celery

QUEUE = os.environ["CELERY_CHECK_QUEUE"]

app = Celery("application", broker=os.environ["LEVERET_URI"], backend="rpc://")
app.conf.update(
    task_default_queue=QUEUE,
    task_acks_late=True,
    worker_prefetch_multiplier=4,
    broker_connection_retry_on_startup=False,
    # Results live in a queue with x-expires.
    result_expires=3600,
)


@app.task
def add(left, right):
    """Adds two numbers."""
    return left + right


@app.task(bind=True, max_retries=3)
def succeed_at_third_try(self):
    """Fails twice; each retry is published again with an ETA."""
    if self.request.retries < 2:
        raise self.retry(countdown=0.2)
    return self.request.retries


@app.task(bind=True, acks_late=True, reject_on_worker_lost=True)
def reject_once(self):
    """Gives its message back once; says whether it was redelivered."""
    from celery.exceptions import Reject

    if not self.request.delivery_info["redelivered"]:
        raise Reject("not yet", requeue=True)
    return True

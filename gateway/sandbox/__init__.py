"""The sandbox: Twilio on your own machine, as far as Usher uses it.

It knows nothing of the gateway and of the bots, so that a mistake cannot hide by standing on both sides.
"""

from gateway.sandbox.account import Account, Switches
from gateway.sandbox.desk import Refusal, Unknown
from gateway.sandbox.errors import TwilioError
from gateway.sandbox.faults import Fault
from gateway.sandbox.sandbox import Sandbox, create_sandbox
from gateway.sandbox.world import Media, Message

__all__ = [
    "Account",
    "Fault",
    "Media",
    "Message",
    "Refusal",
    "Sandbox",
    "Switches",
    "TwilioError",
    "Unknown",
    "create_sandbox",
]

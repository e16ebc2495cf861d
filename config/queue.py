"""The file queue of the embedded mode: kombu's, with messages that appear whole.

kombu opens a message's file under its final name and fills it afterwards. A worker that looks in between takes an empty
message, cannot read it and ends, with every turn it was at. So a message is written under another name first.
"""

import uuid
from pathlib import Path
from time import monotonic

from kombu.exceptions import ChannelError
from kombu.transport import filesystem
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    def _put(self, queue, payload, **kwargs):  # type: ignore[override]  # as the channel it stands in for
        # Named as kombu names them: workers take them in the order of their names, and only those that end so.
        name = f"{round(monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        part = Path(self.data_folder_out, f"{name}.part")
        try:
            part.write_text(dumps(payload), encoding="utf-8")
            part.replace(part.with_name(name))
        except OSError as error:
            part.unlink(
                missing_ok=True
            )  # on a full disk nothing could be written into it, and there would be one a second
            raise ChannelError(f"Cannot add {name} to the queue") from error


class Transport(filesystem.Transport):
    Channel = Channel

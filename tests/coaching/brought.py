"""Exported archives as people change them."""

import io
import zipfile

from coaching.actions import imports


def files_of(raw):
    """{path: text} of an archive."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        return {info.filename: archive.read(info).decode() for info in archive.infolist()}


def packed(files):
    """The archive of {path: text or bytes}; the same bytes whenever it is packed."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path), content)
    return made.getvalue()


def exported(agent, by):
    """{path: text} of what `agent` is told."""
    return files_of(imports.export(agent, by=by)[1])


def planned(agent, by, files, **options):
    """The import of {path: text}."""
    return imports.plan(agent, packed(files), by=by, **{"file_name": "desk.zip", **options})


def steps(imported):
    """[(step, kind, title, note)] of what is not the same."""
    return [
        (step["step"], step["kind"], step["title"], step["note"])
        for step in imported.steps
        if step["step"] not in ("same", "asked")
    ]

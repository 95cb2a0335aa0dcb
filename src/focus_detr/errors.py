"""The error that a user sees as one sentence."""


class FocusDetrError(Exception):
    """Bad input (file, setting, checkpoint): its text is one clear sentence that names the culprit.

    Commands print it and exit with status 2; everything else is a defect and keeps its traceback.
    """

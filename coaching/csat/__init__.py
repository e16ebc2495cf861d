"""CSAT read, judged, said and drawn: from the daily table to a flag's evidence, its sentence and its picture.

The scan itself is `coaching.trajectory`.
"""

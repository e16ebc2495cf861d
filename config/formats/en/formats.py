"""Days and times as the product writes them: no a.m., and the time zone beside every instant."""

DATE_FORMAT = SHORT_DATE_FORMAT = "j M Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "j M Y, H:i e"
YEAR_MONTH_FORMAT = "M Y"

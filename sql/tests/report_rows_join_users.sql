-- Report rows of living accounts that join no user: "(Unknown)" rows, renamed sign-in names, users deleted since.
{{ config(severity='warn') }}
select *
from {{ ref('int_unmatched_report_rows') }}
where unmatched_rows > 0

-- The thresholds have one default row, with both days.
select count(*) as default_rows
from {{ ref('activity_thresholds') }}
where scope = 'default' and threshold_days is not null and grace_days is not null
having count(*) <> 1

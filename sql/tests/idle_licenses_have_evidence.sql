-- No licence is called idle without evidence.
select *
from {{ ref('license_assignments') }}
where (evidence = 'none') <> (activity_status = 'not_measurable')
  or (activity_status in ('active', 'inactive')) <> (last_activity_date is not null)
  or (last_activity_date < assigned_date)

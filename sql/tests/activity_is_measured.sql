-- A service that is not measured has no last activity.
select *
from {{ ref('service_activity') }}
where coverage not in ('complete', 'partial')
  and (last_activity_date is not null or days_since_last_activity is not null or observed_through is not null)

-- Grain: one row per user of the current snapshot and service (eleven), whatever licences the user holds.
select
  u.tenant_id,
  u.user_id,
  c.service,
  a.last_activity_date,
  c.observed_through,
  a.days_since_last_activity,
  c.state as coverage
from {{ ref('int_users') }} as u
join {{ ref('int_service_coverage') }} as c on c.tenant_id = u.tenant_id
left join {{ ref('int_service_last_activity') }} as a
  on a.tenant_id = u.tenant_id and a.user_id = u.user_id and a.service = c.service

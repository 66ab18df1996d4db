-- Grain: one row per user of the tenant's current snapshot, over all days that the lake knows.
with seen as (
  select
    tenant_id,
    user_id,
    min(snapshot_date) as first_seen_date,
    max(case when account_enabled then snapshot_date end) as last_enabled_date
  from {{ ref('int_user_changes') }}
  where is_present
  group by 1, 2
)

select
  s.tenant_id,
  s.user_id,
  s.first_seen_date,
  -- The first day of the disabled days that last until now.
  min(
    case when s.last_enabled_date is null or c.snapshot_date > s.last_enabled_date then c.snapshot_date end
  ) as deactivated_date
from {{ ref('int_users') }} as u
join seen as s on s.tenant_id = u.tenant_id and s.user_id = u.user_id
join {{ ref('int_user_changes') }} as c on c.tenant_id = u.tenant_id and c.user_id = u.user_id
where c.is_present
group by 1, 2, 3

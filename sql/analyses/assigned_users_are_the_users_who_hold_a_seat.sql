-- Assigned users, managed or not, are the users who hold a seat in the stored snapshot.
with counted as (
  select tenant_id, sku_id, assigned_users from {{ ref('license_positions') }}
  union all
  select tenant_id, sku_id, assigned_users from {{ ref('excluded_licenses') }}
),

stored as (
  select l.tenant_id, l.sku_id, count(distinct l.user_id) as users
  from {{ source('lake', 'graph_user_licenses') }} as l
  join {{ ref('coverage') }} as c on c.tenant_id = l.tenant_id and c.logical_date = l.snapshot_date
  where c.table_name = 'graph_user_licenses' and c.is_measured and l.holds_seat
  group by 1, 2
)

select
  coalesce(c.tenant_id, s.tenant_id) as tenant_id,
  coalesce(c.sku_id, s.sku_id) as of_what,
  cast(coalesce(c.assigned_users, 0) as bigint) as one_sum,
  coalesce(s.users, 0) as other_sum,
  'graph_user_licenses' as people
from counted as c
full join stored as s on s.tenant_id = c.tenant_id and s.sku_id = c.sku_id

-- The newest day of the daily positions is the licence positions, and its trend adds up to the licences' activity.
with newest as (
  select tenant_id, max(position_date) as position_date
  from {{ ref('license_positions_daily') }}
  group by 1
),

today as (
  select d.*
  from {{ ref('license_positions_daily') }} as d
  join newest as n on n.tenant_id = d.tenant_id and n.position_date = d.position_date
)

select
  coalesce(p.tenant_id, d.tenant_id) as tenant_id,
  coalesce(p.sku_id, d.sku_id) as sku_id,
  p.assigned_users,
  d.assigned_users as assigned_users_daily
from {{ ref('license_positions') }} as p
full join today as d on d.tenant_id = p.tenant_id and d.sku_id = p.sku_id
where p.sku_id is null or d.sku_id is null
  or p.assigned_users is distinct from d.assigned_users
  or p.consumed_units is distinct from d.consumed_units
  or p.active_users is distinct from d.active_users

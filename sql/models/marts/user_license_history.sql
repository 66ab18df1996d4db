-- Grain: one row per user, managed SKU and span of days in which the licence was held in one way.
with spans as (
  select
    tenant_id,
    user_id,
    sku_id,
    is_held,
    assigned_by,
    snapshot_date as from_date,
    lead(snapshot_date) over (partition by tenant_id, user_id, sku_id order by snapshot_date) as to_date
  from {{ ref('int_license_changes') }}
),

newest as (
  select tenant_id, max(snapshot_date) as snapshot_date
  from {{ ref('int_snapshot_days') }}
  group by 1
)

select
  s.tenant_id,
  s.user_id,
  s.sku_id,
  k.sku_part_number,
  k.product_name,
  s.assigned_by,
  s.from_date,
  s.to_date,
  coalesce(t.previous_date, n.snapshot_date) as last_seen_date,
  f.previous_date as previous_date,
  f.previous_date is null as is_from_start
from spans as s
join {{ ref('int_sku_names') }} as k on k.tenant_id = s.tenant_id and k.sku_id = s.sku_id
join newest as n on n.tenant_id = s.tenant_id
join {{ ref('int_snapshot_days') }} as f on f.tenant_id = s.tenant_id and f.snapshot_date = s.from_date
left join {{ ref('int_snapshot_days') }} as t on t.tenant_id = s.tenant_id and t.snapshot_date = s.to_date
where s.is_held

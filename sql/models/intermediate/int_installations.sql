-- Grain: one row per desktop installation of the tenant's current inventory (device x product x user of one file). A device
-- is one over files: by its serial number, and by its name where a file has no number and one device of that name has.
with current_rows as (
  select
    i.*,
    case when i.device_key not like 'serial:%' then i.device_name_key end as unnumbered_name_key
  from {{ ref('stg_inventory_installations') }} as i
  join {{ ref('int_hybrid_tenants') }} as t on t.tenant_id = i.tenant_id and t.inventory_date = i.snapshot_date
  where i.platform not in ('ios', 'android')
),

numbered as (
  select tenant_id, device_name_key, min(device_key) as device_key
  from current_rows
  where device_key like 'serial:%' and device_name_key is not null
  group by 1, 2
  having min(device_key) = max(device_key)
)

select
  i.tenant_id,
  i.file,
  i.line,
  coalesce(n.device_key, i.device_key) as device_key,
  i.device_name,
  i.last_seen_date,
  i.user_name,
  i.person_key,
  i.product_family,
  i.product_name,
  i.version,
  i.install_kind,
  i.install_date,
  i.last_used_date
from current_rows as i
left join numbered as n on n.tenant_id = i.tenant_id and n.device_name_key = i.unnumbered_name_key

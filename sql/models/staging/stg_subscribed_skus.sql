-- Grain: one row per tenant, snapshot date and SKU.
select
  cast(tenant_id as varchar) as tenant_id,
  snapshot_date,
  cast(sku_id as varchar) as sku_id,
  sku_part_number,
  applies_to,
  capability_status,
  coalesce(enabled_units, 0) as enabled_units,
  coalesce(warning_units, 0) as warning_units,
  coalesce(suspended_units, 0) as suspended_units,
  coalesce(locked_out_units, 0) as locked_out_units,
  coalesce(consumed_units, 0) as consumed_units
from {{ source('lake', 'graph_subscribed_skus') }}

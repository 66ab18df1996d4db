-- Grain: one row per tenant, day of a run whose marts were built, and managed SKU. A day without rows is a gap.
with newest as (
  select tenant_id, max(newest_run_date) as position_date
  from {{ ref('int_coverage') }}
  group by 1
)

select
  p.tenant_id,
  n.position_date,
  p.sku_id,
  p.as_of_date,
  p.sku_part_number,
  p.product_name,
  p.license_class,
  p.applies_to,
  p.capability_status,
  p.enabled_units,
  p.warning_units,
  p.suspended_units,
  p.locked_out_units,
  p.entitled_units,
  p.consumed_units,
  p.available_units,
  p.assigned_users,
  p.active_users,
  p.inactive_users,
  p.never_active_users,
  p.too_new_users,
  p.not_measurable_users,
  p.disabled_users,
  p.guest_users,
  p.unreconciled_units
from {{ ref('license_positions') }} as p
join newest as n on n.tenant_id = p.tenant_id
union all
select
  h.tenant_id,
  h.snapshot_date as position_date,
  h.sku_id,
  h.as_of_date,
  h.sku_part_number,
  h.product_name,
  h.license_class,
  h.applies_to,
  h.capability_status,
  h.enabled_units,
  h.warning_units,
  h.suspended_units,
  h.locked_out_units,
  h.entitled_units,
  h.consumed_units,
  h.available_units,
  h.assigned_users,
  h.active_users,
  h.inactive_users,
  h.never_active_users,
  h.too_new_users,
  h.not_measurable_users,
  h.disabled_users,
  h.guest_users,
  h.unreconciled_units
from {{ ref('stg_history_positions') }} as h
join newest as n on n.tenant_id = h.tenant_id
join {{ ref('int_sku_names') }} as k on k.tenant_id = h.tenant_id and k.sku_id = h.sku_id
where h.snapshot_date < n.position_date

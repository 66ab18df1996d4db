-- Grain: one row per tenant, product family and managed SKU that entitles its desktop apps.
with entitling as (
  select distinct tenant_id, sku_id, product_family
  from {{ ref('int_product_skus') }}
  where entitlement = 'desktop'
)

select
  p.tenant_id,
  p.as_of_date,
  e.product_family,
  p.sku_id,
  p.sku_part_number,
  p.product_name,
  p.license_class,
  p.entitled_units,
  p.consumed_units,
  p.available_units,
  p.assigned_users,
  p.active_users,
  p.inactive_users,
  p.never_active_users,
  p.too_new_users,
  p.not_measurable_users
from {{ ref('license_positions') }} as p
join entitling as e on e.tenant_id = p.tenant_id and e.sku_id = p.sku_id
where coalesce(p.applies_to, 'User') = 'User'

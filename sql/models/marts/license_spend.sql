-- Grain: one row per tenant, paid managed SKU, currency and status; the residual makes the parts equal to the whole.
with units as (
  select tenant_id, sku_id, 'active' as status, active_users as units from {{ ref('license_positions') }}
  union all
  select tenant_id, sku_id, 'inactive', inactive_users from {{ ref('license_positions') }}
  union all
  select tenant_id, sku_id, 'never_active', never_active_users from {{ ref('license_positions') }}
  union all
  select tenant_id, sku_id, 'too_new', too_new_users from {{ ref('license_positions') }}
  union all
  select tenant_id, sku_id, 'not_measurable', not_measurable_users from {{ ref('license_positions') }}
  union all
  select tenant_id, sku_id, 'unassigned', greatest(available_units, 0) from {{ ref('license_positions') }}
),

counted as (
  select
    c.*,
    u.status,
    cast(u.units as bigint) as units,
    case
      when c.rest_cents = 0 then u.units * c.unit_cents
      else u.units * c.unit_cents + cast(round((2 * u.units * c.rest_cents + c.purchased_units
        - (2 * u.units * c.rest_cents + c.purchased_units) % (2 * c.purchased_units)) / (2 * c.purchased_units)) as bigint)
    end as cents
  from {{ ref('int_license_costs') }} as c
  join units as u on u.tenant_id = c.tenant_id and u.sku_id = c.sku_id
),

parts as (
  select tenant_id, as_of_date, sku_id, currency, price_basis, purchased_units, status, units, cents
  from counted
  union all
  select
    tenant_id,
    as_of_date,
    sku_id,
    currency,
    price_basis,
    purchased_units,
    'residual',
    cast(max(purchased_units) - coalesce(sum(units), 0) as bigint),
    cast(max(annual_cents) - coalesce(sum(cents), 0) as bigint)
  from counted
  group by 1, 2, 3, 4, 5, 6
)

select
  p.tenant_id,
  p.as_of_date,
  p.sku_id,
  k.sku_part_number,
  k.product_name,
  p.currency,
  p.status,
  cast(p.units as integer) as units,
  cast(cast(p.cents as decimal(18, 0)) * 0.01 as decimal(18, 2)) as annual_spend,
  p.price_basis,
  p.price_basis = 'list_price' as is_estimate,
  cast(p.purchased_units as integer) as purchased_units
from parts as p
join {{ ref('int_skus') }} as k on k.tenant_id = p.tenant_id and k.sku_id = p.sku_id

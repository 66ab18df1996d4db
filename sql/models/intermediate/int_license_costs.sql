-- Grain: one row per tenant, paid managed SKU and currency it is paid in; one row without a currency for a SKU whose price is
-- not known. The cost of n units is n * unit_cents + n * rest_cents / purchased_units, halves of a cent rounded up.
with terms as (
  select
    tenant_id,
    sku_id,
    currency,
    cast(sum(annual_cents) as bigint) as annual_cents
  from {{ ref('int_license_terms') }}
  where term_status = 'in_force' and sku_id is not null
  group by 1, 2, 3
),

-- A user's status is of the SKU, whatever currency its unit was paid in: the units of all terms share it.
purchased as (
  select
    tenant_id,
    sku_id,
    cast(sum(case when term_status = 'in_force' then quantity end) as bigint) as purchased_units
  from {{ ref('int_license_terms') }}
  where sku_id is not null
  group by 1, 2
),

priced as (
  select
    p.tenant_id,
    p.as_of_date,
    p.sku_id,
    coalesce(t.currency, case when b.sku_id is null then l.currency end) as currency,
    case
      when t.sku_id is not null then 'terms'
      when b.sku_id is not null then 'no_current_term'
      when l.sku_id is not null then 'list_price'
      else 'unknown'
    end as price_basis,
    case when b.sku_id is not null then b.purchased_units else cast(p.entitled_units as bigint) end as purchased_units,
    t.annual_cents,
    case when b.sku_id is null then cast(l.monthly_unit_price * 1200 as bigint) end as list_unit_cents
  from {{ ref('license_positions') }} as p
  left join purchased as b on b.tenant_id = p.tenant_id and b.sku_id = p.sku_id
  left join terms as t on t.tenant_id = p.tenant_id and t.sku_id = p.sku_id
  -- What was bought has a list price only while it is known how much was bought.
  left join {{ ref('list_prices') }} as l
    on l.sku_id = p.sku_id
    and p.entitled_units is not null
    and p.as_of_date >= coalesce(l.effective_date, date '1970-01-01')
    and p.as_of_date < coalesce(l.ending_date, date '2200-01-01')
  where p.license_class = 'paid'
)

select
  tenant_id,
  as_of_date,
  sku_id,
  currency,
  price_basis,
  purchased_units,
  coalesce(annual_cents, list_unit_cents * purchased_units) as annual_cents,
  coalesce(list_unit_cents, cast(round((annual_cents - annual_cents % purchased_units) / purchased_units) as bigint)) as unit_cents,
  case when list_unit_cents is not null then cast(0 as bigint) else annual_cents % purchased_units end as rest_cents
from priced

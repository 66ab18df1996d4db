-- Grain: one row per tenant and SKU whose price of a unit is known, in one currency: of terms in force, else of the price list
-- on the day of the tenant's snapshot. A SKU that is paid in two currencies has no single price, and no row.
with tenants as (
  select tenant_id, coalesce(logical_date, newest_run_date) as as_of_date
  from {{ ref('int_coverage') }}
  where table_name = 'graph_subscribed_skus'
),

-- Half a cent goes up.
held as (
  select
    tenant_id,
    sku_id,
    min(currency) as currency,
    min(price_basis) as price_basis,
    max(unit_cents + case when 2 * rest_cents >= purchased_units and rest_cents > 0 then 1 else 0 end) as unit_cents,
    count(currency) as currencies
  from {{ ref('int_license_costs') }}
  group by 1, 2
),

listed as (
  select
    t.tenant_id,
    l.sku_id,
    min(l.currency) as currency,
    max(cast(l.monthly_unit_price * 1200 as bigint)) as unit_cents,
    count(*) as currencies
  from tenants as t
  join {{ ref('list_prices') }} as l
    on t.as_of_date >= coalesce(l.effective_date, date '1970-01-01')
    and t.as_of_date < coalesce(l.ending_date, date '2200-01-01')
  group by 1, 2
)

select tenant_id, sku_id, currency, price_basis, cast(unit_cents as bigint) as unit_cents, price_basis = 'list_price' as is_estimate
from held
where currencies = 1 and unit_cents is not null
union all
select l.tenant_id, l.sku_id, l.currency, 'list_price', l.unit_cents, true
from listed as l
left join held as h on h.tenant_id = l.tenant_id and h.sku_id = l.sku_id
where l.currencies = 1 and h.sku_id is null

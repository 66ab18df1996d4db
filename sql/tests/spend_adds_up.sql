-- What the parts of a SKU cost is what its terms in force cost, and its units are those that were paid for.
with parts as (
  select
    tenant_id,
    sku_id,
    currency,
    sum(annual_spend) as annual_spend,
    sum(units) as units,
    max(purchased_units) as purchased_units
  from {{ ref('license_spend') }}
  where price_basis = 'terms'
  group by 1, 2, 3
),

terms as (
  select tenant_id, sku_id, currency, sum(annual_spend) as annual_spend
  from {{ ref('license_costs') }}
  where term_status = 'in_force'
  group by 1, 2, 3
)

select p.*, t.annual_spend as terms_cost
from parts as p
left join terms as t on t.tenant_id = p.tenant_id and t.sku_id = p.sku_id and t.currency = p.currency
where t.annual_spend is null or t.annual_spend <> p.annual_spend or p.units <> p.purchased_units

-- Grain: one row per tenant and term (line of the user's file) that its newest reading of what is bought has. Where that could
-- not be read, no term is known to be of a SKU, so there are none.
-- Money is counted in whole numbers (ten-thousandths, cents), so that it is exact; halves of a cent are rounded up.
with tenants as (
  select
    s.tenant_id,
    coalesce(s.logical_date, s.newest_run_date) as as_of_date,
    t.logical_date
  from {{ ref('int_coverage') }} as s
  join {{ ref('int_coverage') }} as t on t.tenant_id = s.tenant_id and t.run_id = s.run_id
  where s.table_name = 'graph_subscribed_skus' and s.is_measured and t.table_name = 'license_terms'
),

known as (
  select
    tenant_id,
    sku_id,
    lower(sku_part_number) as part_key,
    row_number() over (partition by tenant_id, lower(sku_part_number) order by is_subscribed desc, sku_id) as choice
  from {{ ref('int_skus') }}
),

catalog_parts as (
  select lower(sku_part_number) as part_key, min(product_name) as product_name
  from {{ ref('stg_catalog_skus') }}
  group by 1
),

-- Whole months of a term, and the days that are left of it.
spans as (
  select
    t.*,
    n.as_of_date,
    coalesce(by_id.sku_id, by_part.sku_id) as sku_id,
    coalesce(catalog_sku.product_name, catalog_part.product_name, t.sku) as product_name,
    f.payments,
    f.years,
    (year(ending_date) - year(effective_date)) * 12 + month(ending_date) - month(effective_date)
      - case when day(ending_date) < day(effective_date) then 1 else 0 end as term_months,
    case
      when day(ending_date) >= day(effective_date) then day(ending_date) - day(effective_date)
      else day(ending_date) + greatest(day(date_trunc('month', ending_date) - interval '1' day) - day(effective_date), 0)
    end as term_days
  from {{ ref('stg_license_terms') }} as t
  join tenants as n on n.tenant_id = t.tenant_id and n.logical_date = t.snapshot_date
  join {{ ref('payment_frequencies') }} as f on f.payment_frequency = t.payment_frequency
  left join known as by_id on by_id.tenant_id = t.tenant_id and by_id.sku_id = t.sku_key
  left join known as by_part on by_part.tenant_id = t.tenant_id and by_part.part_key = t.sku_key and by_part.choice = 1
  left join {{ ref('stg_catalog_skus') }} as catalog_sku on catalog_sku.sku_id = t.sku_key
  left join catalog_parts as catalog_part on catalog_part.part_key = t.sku_key
),

-- Payments per year as a fraction. What is paid once is spread over the term: 4380 is 12 months times 365 days.
paid as (
  select
    s.*,
    cast(amount * 10000 as bigint) as amount_parts,
    cast(fees * 10000 as bigint) as fee_parts,
    cast(case when payments is null then 4380 else payments end as bigint) as times,
    cast(case when payments is null then term_months * 365 + term_days * 12 else years end as bigint) as per_years
  from spans as s
),

yearly as (
  select
    p.*,
    cast(round((2 * amount_parts * times + 100 * per_years
      - (2 * amount_parts * times + 100 * per_years) % (200 * per_years)) / (200 * per_years)) as bigint) as annual_cents,
    cast(round((2 * fee_parts * times + 100 * per_years
      - (2 * fee_parts * times + 100 * per_years) % (200 * per_years)) / (200 * per_years)) as bigint) as annual_fee_cents
  from paid as p
)

select
  tenant_id,
  as_of_date,
  line,
  purchase_id,
  sku,
  sku_id,
  product_name,
  quantity,
  amount,
  unit_amount,
  fees,
  currency,
  payment_frequency,
  effective_date,
  ending_date,
  vendor,
  contract,
  cost_centre,
  case
    when as_of_date < effective_date then 'future'
    when as_of_date >= ending_date then 'expired'
    else 'in_force'
  end as term_status,
  annual_cents,
  annual_fee_cents
from yearly
